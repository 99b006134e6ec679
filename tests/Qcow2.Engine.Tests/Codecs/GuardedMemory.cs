using System.Runtime.InteropServices;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>Memory of Linux between two pages that nobody may touch: whoever reads or writes a byte beside it ends the process.</summary>
internal sealed unsafe class GuardedMemory : IDisposable
{
    private const int ReadWrite = 3;
    private const int PrivateAnonymous = 0x22;
    private const int PageSize = 65_536; // The largest that Linux has on common processors.

    private readonly nint _start;
    private readonly int _length;

    internal GuardedMemory(int length)
    {
        _length = (length + PageSize - 1) / PageSize * PageSize;
        _start = Map(0, Whole, 0, PrivateAnonymous, -1, 0);
        Assert.NotEqual(-1, _start);
        Assert.Equal(0, Protect(_start + PageSize, (nuint)_length, ReadWrite));
    }

    private nuint Whole => (nuint)(_length + (2 * PageSize));

    /// <summary>The bytes that end where the memory does.</summary>
    internal Span<byte> Last(int count) => new((void*)(_start + PageSize + _length - count), count);

    /// <summary>The bytes that begin where the memory does.</summary>
    internal Span<byte> First(int count) => new((void*)(_start + PageSize), count);

    public void Dispose() => Assert.Equal(0, Unmap(_start, Whole));

    [DllImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static extern nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [DllImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static extern int Protect(nint address, nuint length, int protection);

    [DllImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static extern int Unmap(nint address, nuint length);
}
