# An installed provider is enough.
repo system 0 testtags <inline>
#>=Pkg: zmail 1 1 noarch
#>=Prv: mta
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: mta
#>=Pkg: email 1 1 noarch
#>=Prv: mta
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
