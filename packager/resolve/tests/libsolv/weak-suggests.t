# A suggestion decides a choice and installs nothing.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: mta
#>=Sug: zmail
#>=Sug: other
#>=Pkg: zmail 1 1 noarch
#>=Prv: mta
#>=Pkg: email 1 1 noarch
#>=Prv: mta
#>=Pkg: other 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install zmail-1-1.noarch@available
