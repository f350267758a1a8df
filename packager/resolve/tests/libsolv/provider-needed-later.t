# A choice is taken back when another candidate comes in anyway.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: mta
#>=Req: b
#>=Pkg: b 1 1 noarch
#>=Req: c
#>=Pkg: c 1 1 noarch
#>=Req: zmail | qmail
#>=Pkg: zmail 1 1 noarch
#>=Prv: mta
#>=Pkg: email 1 1 noarch
#>=Prv: mta
#>=Pkg: qmail 1 1 noarch
#>=Req: missing
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install b-1-1.noarch@available
#>install c-1-1.noarch@available
#>install zmail-1-1.noarch@available
