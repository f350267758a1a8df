# Installed and removed at once.
repo system 0 testtags <inline>
#>=Pkg: b 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: b
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
job erase name b
result transaction,problems <inline>
#>problem 6d8089b3 info package a-1-1.noarch requires b, but none of the providers can be installed
#>problem 6d8089b3 solution 1e37738a deljob erase name b
#>problem 6d8089b3 solution 7981ef42 deljob install name a
