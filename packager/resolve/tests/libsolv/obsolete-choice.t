# Of two candidates the one that obsoletes the other is taken.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: x
#>=Pkg: aa 1 1 noarch
#>=Prv: x
#>=Pkg: b 1 1 noarch
#>=Prv: x
#>=Obs: aa
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install b-1-1.noarch@available
