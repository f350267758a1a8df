# A required path, provided as such.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: /usr/bin/tool
#>=Pkg: tool 1 1 noarch
#>=Prv: /usr/bin/tool
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install tool-1-1.noarch@available
