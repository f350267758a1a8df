# Two versions of one package.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: lib = 1
#>=Pkg: b 1 1 noarch
#>=Req: lib = 2
#>=Pkg: lib 1 1 noarch
#>=Pkg: lib 2 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
job install name b
result transaction,problems <inline>
#>problem c4f6b301 info package b-1-1.noarch requires lib = 2, but none of the providers can be installed
#>problem c4f6b301 solution 7981ef42 deljob install name a
#>problem c4f6b301 solution e98e1a37 deljob install name b
