# A conflict with two together, both asked for.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Con: x & y
#>=Pkg: x 1 1 noarch
#>=Pkg: y 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
job install name x
job install name y
result transaction,problems <inline>
#>problem c996c48c info package a-1-1.noarch conflicts with (x and y) provided by <NULL>
#>problem c996c48c solution 7981ef42 deljob install name a
#>problem c996c48c solution a28c7f93 deljob install name x
#>problem c996c48c solution dfeb1843 deljob install name y
