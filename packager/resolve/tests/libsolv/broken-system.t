# What is broken now is nobody's business.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: gone
#>=Pkg: b 1 1 noarch
#>=Con: a
repo available 0 testtags <inline>
#>=Pkg: z 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name z
result transaction,problems <inline>
#>install z-1-1.noarch@available
