using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Qcow2.Engine.Disks;

/// <summary>
/// Bytes that must not outlive their use: pinned, so that the garbage collector leaves no copies behind when it
/// compacts the heap, and zeroed on <see cref="Dispose"/>.
/// </summary>
internal sealed class SecretBuffer : IDisposable
{
    private GCHandle _pin;

    /// <summary>Allocates a zeroed buffer.</summary>
    /// <param name="length">Length in bytes.</param>
    internal SecretBuffer(int length)
    {
        Array = new byte[length];
        _pin = GCHandle.Alloc(Array, GCHandleType.Pinned);
    }

    ~SecretBuffer() => Clear();

    /// <summary>The bytes, for interfaces that take no span. Never keep a reference to it.</summary>
    internal byte[] Array { get; }

    /// <summary>The bytes.</summary>
    internal Span<byte> Span => Array;

    /// <summary>A buffer with a copy of some bytes; the caller still has to clear the original.</summary>
    internal static SecretBuffer CopyOf(ReadOnlySpan<byte> bytes)
    {
        var copy = new SecretBuffer(bytes.Length);
        bytes.CopyTo(copy.Span);
        return copy;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Clear();
        GC.SuppressFinalize(this);
    }

    private void Clear()
    {
        CryptographicOperations.ZeroMemory(Array);
        if (_pin.IsAllocated)
        {
            _pin.Free();
        }
    }
}
