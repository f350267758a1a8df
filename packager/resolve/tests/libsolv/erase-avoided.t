# Nothing is removed when an older version does.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Prv: z
repo available 0 testtags <inline>
#>=Pkg: d 1 1 noarch
#>=Pkg: d 3 1 noarch
#>=Con: z
system x86_64 rpm system
poolflags implicitobsoleteusescolors
solverflags allowuninstall
job install name d
result transaction,problems <inline>
#>install d-1-1.noarch@available
