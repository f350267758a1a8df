# Sonames with symbol versions.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 x86_64
#>=Req: libz.so.1()(64bit)
#>=Req: libz.so.1(ZLIB_1.2)(64bit)
#>=Pkg: zlib 1 1 x86_64
#>=Prv: libz.so.1()(64bit)
#>=Pkg: zlib-ng 2 1 x86_64
#>=Prv: libz.so.1()(64bit)
#>=Prv: libz.so.1(ZLIB_1.2)(64bit)
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.x86_64@available
#>install zlib-ng-2-1.x86_64@available
