# Two that need each other at one version.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: b = 1-1
#>=Pkg: b 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 2 1 noarch
#>=Req: b = 2-1
#>=Pkg: b 2 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update name a
result transaction,problems <inline>
#>upgrade a-1-1.noarch@system a-2-1.noarch@available
#>upgrade b-1-1.noarch@system b-2-1.noarch@available
