# Not the other architecture alone, though the best one cannot be installed.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: d 2 1 i686
#>=Pkg: d 3 1 x86_64
#>=Req: missing
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name d
result transaction,problems <inline>
#>problem 957738f4 info nothing provides missing needed by d-3-1.x86_64
#>problem 957738f4 solution 4dc7bcf2 allow d-2-1.i686@available
#>problem 957738f4 solution e1b58e11 deljob install name d
