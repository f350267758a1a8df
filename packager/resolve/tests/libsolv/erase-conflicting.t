# What stands in the way goes, when that is allowed.
repo system 0 testtags <inline>
#>=Pkg: c 1 1 noarch
#>=Pkg: d 1 1 noarch
#>=Req: c
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Con: c
system x86_64 rpm system
poolflags implicitobsoleteusescolors
solverflags allowuninstall
job install name a
result transaction,problems <inline>
#>erase c-1-1.noarch@system
#>erase d-1-1.noarch@system
#>install a-1-1.noarch@available
