# One package and not another.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: x - special
#>=Pkg: b 1 1 noarch
#>=Prv: x
#>=Prv: special
#>=Pkg: c 1 1 noarch
#>=Prv: x
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install c-1-1.noarch@available
