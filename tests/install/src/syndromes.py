# Parity of four data blocks by the installed isa-l, as in RAID 6: P is their sum in GF(2^8) with the polynomial 0x11d, Q the sum of block i times 2^i.
from ctypes import CDLL, addressof, byref, c_ubyte, c_void_p

isal = CDLL("libisal.so.2")
columns = [(0x01, 0x80, 0x80, 0x80), (0xFF, 0, 0, 0), (0, 0, 0, 0x01), (0, 0xFF, 0, 0)]
length, data, parity = 64, 4, 2
blocks = [(c_ubyte * length)(*[columns[at % 4][block] for at in range(length)]) for block in range(data)]
sums = [(c_ubyte * length)() for _ in range(parity)]
matrix = (c_ubyte * ((data + parity) * data))()
tables = (c_ubyte * (32 * data * parity))()
isal.gf_gen_rs_matrix(matrix, data + parity, data)
isal.ec_init_tables(data, parity, byref(matrix, data * data), tables)
pointers = lambda arrays: (c_void_p * len(arrays))(*[addressof(array) for array in arrays])
isal.ec_encode_data(length, data, parity, tables, pointers(blocks), pointers(sums))
for block in sums:
    assert bytes(block) == bytes(block[:4]) * (length // 4), bytes(block).hex()
    print(bytes(block[:4]).hex())
