# A requirement that nobody provides.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: missing
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>problem dee14794 info nothing provides missing needed by a-1-1.noarch
#>problem dee14794 solution 7981ef42 deljob install name a
