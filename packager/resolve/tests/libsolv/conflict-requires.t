# A conflict with a condition asks for the condition.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Con: b <IF> e
#>=Pkg: b 1 1 noarch
#>=Pkg: e 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install e-1-1.noarch@available
