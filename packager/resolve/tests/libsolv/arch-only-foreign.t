# Only a foreign architecture: refused.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 x86_64
#>=Req: b
#>=Pkg: b 1 1 aarch64
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>problem a7f4f840 info nothing provides b needed by a-1-1.x86_64
#>problem a7f4f840 solution 7981ef42 deljob install name a
