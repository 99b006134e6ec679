using System.Buffers.Binary;
using System.Text;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>The header of a disk that has a block allocation table (spec: "Dynamic Disk Header Format").</summary>
internal sealed record VhdDynamicHeader
{
    internal const int Length = 1024;

    internal const int ChecksumPosition = 36;

    internal const int LocatorCount = 8;

    private const int ParentNamePosition = 64;
    private const int ParentNameLength = 512;
    private const int LocatorsPosition = ParentNamePosition + ParentNameLength;

    private const uint KnownVersion = 1;

    internal static ReadOnlySpan<byte> Cookie => "cxsparse"u8;

    /// <summary>Where the block allocation table lies.</summary>
    internal ulong TableOffset { get; init; }

    /// <summary>Version of the header, as 16 bits each of major and minor.</summary>
    internal uint HeaderVersion { get; init; }

    /// <summary>Entries of the table.</summary>
    internal uint MaxTableEntries { get; init; }

    /// <summary>Bytes of the disk in a block.</summary>
    internal uint BlockSize { get; init; }

    /// <summary>The check sum that is stored.</summary>
    internal uint Checksum { get; init; }

    /// <summary>The check sum that the bytes have.</summary>
    internal uint ComputedChecksum { get; init; }

    /// <summary>The <see cref="VhdFooter.UniqueId"/> of the parent.</summary>
    internal Guid ParentUniqueId { get; init; }

    /// <summary>Time of the parent, as in its footer; 0 where the program that made the child wrote none, as Windows 8 and later.</summary>
    internal uint ParentTimeStamp { get; init; }

    /// <summary>Name of the parent, by most programs its path. Big-endian, unlike those of the locators.</summary>
    internal string ParentName { get; init; } = "";

    /// <summary>The locators that are in use.</summary>
    internal IReadOnlyList<VhdParentLocator> Locators { get; init; } = [];

    internal bool HasValidChecksum => Checksum == ComputedChecksum;

    internal static bool HasCookie(ReadOnlySpan<byte> bytes) => bytes.StartsWith(Cookie);

    /// <summary>Takes the bytes apart, and judges nothing.</summary>
    internal static VhdDynamicHeader Parse(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes.Slice(0, Length);
        var locators = new List<VhdParentLocator>();
        for (int i = 0; i < LocatorCount; i++)
        {
            var locator = VhdParentLocator.Parse(bytes.Slice(LocatorsPosition + (i * VhdParentLocator.Length)));
            if (locator.Platform != 0)
            {
                locators.Add(locator);
            }
        }

        return new VhdDynamicHeader
        {
            TableOffset = BinaryPrimitives.ReadUInt64BigEndian(bytes.Slice(16)),
            HeaderVersion = BinaryPrimitives.ReadUInt32BigEndian(bytes.Slice(24)),
            MaxTableEntries = BinaryPrimitives.ReadUInt32BigEndian(bytes.Slice(28)),
            BlockSize = BinaryPrimitives.ReadUInt32BigEndian(bytes.Slice(32)),
            Checksum = BinaryPrimitives.ReadUInt32BigEndian(bytes.Slice(ChecksumPosition)),
            ComputedChecksum = VhdChecksum.Of(bytes, ChecksumPosition),
            ParentUniqueId = new Guid(bytes.Slice(40, 16).ToArray()),
            ParentTimeStamp = BinaryPrimitives.ReadUInt32BigEndian(bytes.Slice(56)),
            ParentName = VhdText.UpToNull(Encoding.BigEndianUnicode.GetString(bytes.Slice(ParentNamePosition, ParentNameLength).ToArray())),
            Locators = locators,
        };
    }

    /// <summary>The bytes of the header of a disk without a parent, with the check sum that they have.</summary>
    internal byte[] ToBytes()
    {
        byte[] bytes = new byte[Length];
        Cookie.CopyTo(bytes);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), ulong.MaxValue); // Where a next header would lie.
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(16), TableOffset);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(24), HeaderVersion);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(28), MaxTableEntries);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(32), BlockSize);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(ChecksumPosition), VhdChecksum.Of(bytes, ChecksumPosition));
        return bytes;
    }

    /// <summary>Refuses what no disk of a size can have.</summary>
    /// <param name="size">The disk's size, in bytes.</param>
    /// <exception cref="Qcow2Exception">A field has a value that is unknown, or past its limit.</exception>
    internal void RequireUsable(long size)
    {
        if (HeaderVersion >> 16 != KnownVersion)
        {
            throw Qcow2Errors.Unsupported($"The dynamic disk header's header_version is 0x{HeaderVersion:x8}; known is 0x00010000.");
        }

        if (BlockSize < VhdLimits.SectorSize || (BlockSize & (BlockSize - 1)) != 0)
        {
            throw Qcow2Errors.Corrupt($"The dynamic disk header's block_size is {BlockSize}, which is no power of two of {VhdLimits.SectorSize} bytes or more.");
        }

        if (MaxTableEntries > VhdLimits.MaxTableEntries)
        {
            throw Qcow2Errors.Limit("The dynamic disk header's max_table_entries", MaxTableEntries, VhdLimits.MaxTableEntries);
        }

        if ((ulong)MaxTableEntries * BlockSize < (ulong)size)
        {
            throw Qcow2Errors.Corrupt(
                $"The dynamic disk header's max_table_entries is {MaxTableEntries}, which with blocks of {BlockSize} bytes is too few for a disk of {size} bytes.");
        }
    }
}
