# A condition that holds.
repo system 0 testtags <inline>
#>=Pkg: y 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: x <IF> y
#>=Pkg: x 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install x-1-1.noarch@available
