# A 64-bit requirement takes the 64-bit provider.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 x86_64
#>=Req: libz.so.1()(64bit)
#>=Pkg: z 1 1 i686
#>=Prv: libz.so.1
#>=Pkg: z 1 1 x86_64
#>=Prv: libz.so.1()(64bit)
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.x86_64@available
#>install z-1-1.x86_64@available
