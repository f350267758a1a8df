# Versions of provides are compared, not those of packages.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: x >= 5
#>=Pkg: b 9 1 noarch
#>=Prv: x = 4
#>=Pkg: c 1 1 noarch
#>=Prv: x = 5
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install c-1-1.noarch@available
