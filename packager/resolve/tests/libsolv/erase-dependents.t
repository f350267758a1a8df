# With those that require it, when that is allowed.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Pkg: b 1 1 noarch
#>=Req: a
#>=Pkg: c 1 1 noarch
#>=Req: b
#>=Pkg: d 1 1 noarch
repo available 0 testtags <inline>
system x86_64 rpm system
poolflags implicitobsoleteusescolors
solverflags allowuninstall
job erase name a
result transaction,problems <inline>
#>erase a-1-1.noarch@system
#>erase b-1-1.noarch@system
#>erase c-1-1.noarch@system
