# A provider that conflicts is avoided.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: mta
#>=Req: z
#>=Pkg: email 1 1 noarch
#>=Prv: mta
#>=Pkg: zmail 1 1 noarch
#>=Prv: mta
#>=Pkg: z 1 1 noarch
#>=Con: email
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install z-1-1.noarch@available
#>install zmail-1-1.noarch@available
