# Two that conflict.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Con: b
#>=Pkg: b 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
job install name b
result transaction,problems <inline>
#>problem 082adad1 info package a-1-1.noarch conflicts with b provided by b-1-1.noarch
#>problem 082adad1 solution 7981ef42 deljob install name a
#>problem 082adad1 solution e98e1a37 deljob install name b
