# Something unless another is there: refused.
repo system 0 testtags <inline>
#>=Pkg: y 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: x <UNLESS> y
#>=Pkg: x 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>problem 0c984372 info package a-1-1.noarch requires (x unless y), but none of the providers can be installed
#>problem 0c984372 solution 7981ef42 deljob install name a
#>problem 0c984372 solution a97bb42f erase y-1-1.noarch@system
