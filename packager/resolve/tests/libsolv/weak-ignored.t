# Weak dependencies can be left out.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Rec: b
#>=Pkg: b 1 1 noarch
#>=Pkg: c 1 1 noarch
#>=Sup: a
system x86_64 rpm system
poolflags implicitobsoleteusescolors
solverflags ignorerecommended
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
