# Recommendations of installed packages are old news.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Rec: b
repo available 0 testtags <inline>
#>=Pkg: b 1 1 noarch
#>=Pkg: z 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name z
result transaction,problems <inline>
#>install z-1-1.noarch@available
