# An installed package stands in the way.
repo system 0 testtags <inline>
#>=Pkg: c 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Con: c
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>problem 5184f2cf info package a-1-1.noarch conflicts with c provided by c-1-1.noarch
#>problem 5184f2cf solution 49cc8405 erase c-1-1.noarch@system
#>problem 5184f2cf solution 7981ef42 deljob install name a
