# What is installed keeps what it obsoletes out.
repo system 0 testtags <inline>
#>=Pkg: new 2 1 noarch
#>=Obs: old
repo available 0 testtags <inline>
#>=Pkg: old 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name old
result transaction,problems <inline>
#>problem 735193fc info installed package new-2-1.noarch obsoletes old provided by old-1-1.noarch
#>problem 735193fc solution 019bcc3c erase new-2-1.noarch@system
#>problem 735193fc solution ae4e3d19 deljob install name old
