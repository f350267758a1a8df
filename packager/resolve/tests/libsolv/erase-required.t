# A package that is required cannot go.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Pkg: b 1 1 noarch
#>=Req: a
repo available 0 testtags <inline>
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job erase name a
result transaction,problems <inline>
#>problem 199dc562 info package b-1-1.noarch requires a, but none of the providers can be installed
#>problem 199dc562 solution 038770e7 erase b-1-1.noarch@system
#>problem 199dc562 solution dc600f7b deljob erase name a
