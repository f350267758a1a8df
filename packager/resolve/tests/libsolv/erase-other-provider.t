# Another provider takes over.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Prv: x
#>=Pkg: b 1 1 noarch
#>=Req: x
repo available 0 testtags <inline>
#>=Pkg: n 1 1 noarch
#>=Prv: x
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job erase name a
result transaction,problems <inline>
#>erase a-1-1.noarch@system
#>install n-1-1.noarch@available
