using System.Buffers.Binary;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>
/// What an entry of the log writes into the file ([MS-VHDX] 2.3.1.2 and 2.3.1.3): a sector of data, or zeros.
/// </summary>
/// <param name="IsData">Whether it is data.</param>
/// <param name="FileOffset">Where in the file, in bytes.</param>
/// <param name="ByteCount">Bytes.</param>
/// <param name="Sector">Where in the log the sector of data is.</param>
/// <param name="Lead">The data's first eight bytes, which the sector has no room for.</param>
/// <param name="Trail">The data's last four bytes.</param>
internal readonly record struct VhdxLogDescriptor(bool IsData, ulong FileOffset, ulong ByteCount, long Sector, ulong Lead, uint Trail)
{
    internal const int Length = 32;

    private const uint DataSignature = 0x6373_6564; // "desc"
    private const uint ZeroSignature = 0x6f72_657a; // "zero"
    private const uint SectorSignature = 0x6174_6164; // "data"

    internal static VhdxLogDescriptor Parse(ReadOnlySpan<byte> bytes, long sector)
    {
        bool isData = BinaryPrimitives.ReadUInt32LittleEndian(bytes) == DataSignature;
        ulong lead = BinaryPrimitives.ReadUInt64LittleEndian(bytes.Slice(8));
        return new VhdxLogDescriptor(
            isData, BinaryPrimitives.ReadUInt64LittleEndian(bytes.Slice(16)), isData ? VhdxLimits.LogSectorSize : lead, sector, lead,
            BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(4)));
    }

    /// <summary>Whether bytes are a descriptor of the entry with a number.</summary>
    internal static bool IsOf(ReadOnlySpan<byte> bytes, ulong sequence)
        => BinaryPrimitives.ReadUInt32LittleEndian(bytes) is DataSignature or ZeroSignature && BinaryPrimitives.ReadUInt64LittleEndian(bytes.Slice(24)) == sequence;

    /// <summary>Whether bytes are a sector of data of the entry with a number.</summary>
    internal static bool IsSectorOf(ReadOnlySpan<byte> sector, ulong sequence)
        => BinaryPrimitives.ReadUInt32LittleEndian(sector) == SectorSignature
            && BinaryPrimitives.ReadUInt32LittleEndian(sector.Slice(4)) == (uint)(sequence >> 32)
            && BinaryPrimitives.ReadUInt32LittleEndian(sector.Slice(VhdxLimits.LogSectorSize - sizeof(uint))) == (uint)sequence;

    /// <summary>Makes a sector of the log what it stands for.</summary>
    internal void Restore(Span<byte> sector)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(sector, Lead);
        BinaryPrimitives.WriteUInt32LittleEndian(sector.Slice(VhdxLimits.LogSectorSize - sizeof(uint)), Trail);
    }
}
