using System.Buffers.Binary;

namespace Qcow2.Engine.Disks.Encryption;

/// <summary>
/// The sector number itself, little-endian, then zeros: <c>plain64</c>, or its low 32 bits only: <c>plain</c>, which
/// repeats itself every 2 TiB.
/// </summary>
internal sealed class CounterIvGenerator : IvGenerator
{
    internal static readonly CounterIvGenerator Plain = new(uint.MaxValue);
    internal static readonly CounterIvGenerator Plain64 = new(ulong.MaxValue);

    private readonly ulong _mask;

    private CounterIvGenerator(ulong mask) => _mask = mask;

    internal override void Fill(ulong firstSector, byte[] buffer, int offset, int sectors)
    {
        Span<byte> ivs = buffer.AsSpan(offset, sectors * IvSize);
        ivs.Clear();
        for (int i = 0; i < sectors; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(ivs.Slice(i * IvSize), unchecked(firstSector + (ulong)i) & _mask);
        }
    }

    /// <summary>Does nothing: the instances are shared and hold no key.</summary>
    public override void Dispose()
    {
    }
}
