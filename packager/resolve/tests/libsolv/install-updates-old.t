# A new package brings the update that it needs.
repo system 0 testtags <inline>
#>=Pkg: lib 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: lib >= 2
#>=Pkg: lib 2 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>upgrade lib-1-1.noarch@system lib-2-1.noarch@available
