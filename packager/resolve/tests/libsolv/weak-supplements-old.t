# What supplements installed packages only is old news.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a-lang 1 1 noarch
#>=Sup: a
#>=Pkg: z 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name z
result transaction,problems <inline>
#>install z-1-1.noarch@available
