# Something unless another is there: it is not.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: x <UNLESS> y
#>=Pkg: x 1 1 noarch
#>=Pkg: y 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install x-1-1.noarch@available
