"""The science of Memwarden, without I/O: recordings of memory over time, and the judge that reads them."""
