using System.Buffers;
using Qcow2.Engine.Codecs;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow1;

/// <summary>The disk in a QCOW image of version 1, for reading.</summary>
internal sealed class Qcow1Disk : SparseDisk
{
    private const ulong CompressedFlag = 1UL << 63;
    private const int SectorSize = 512;

    private readonly Qcow1Header _header;
    private readonly TablePages _tables;
    private readonly InflateDecoder _decoder = new();
    private readonly DecodedClusterCache _decoded;
    private readonly SectorCipher? _cipher;

    private Qcow1Disk(BlockStorage file, Qcow1Header header, VirtualDisk? backing, SectorCipher? cipher)
        : base(file, header.Size, header.ClusterSize, backing)
    {
        _cipher = cipher;
        _header = header;
        _tables = new TablePages(file);
        _decoded = new DecodedClusterCache(header.ClusterSize);
    }

    /// <summary>Reads a disk from storage, which the disk then owns.</summary>
    /// <param name="file">The file; on failure it is left to the caller.</param>
    /// <param name="openBacking">Opens the backing file, by its name; the disk then owns it.</param>
    /// <param name="passphrase">Decrypts the data; null where it is not known. Its key is copied.</param>
    /// <exception cref="Qcow2Exception">The file is damaged, or its backing file cannot be used.</exception>
    internal static Qcow1Disk Open(BlockStorage file, Func<string, VirtualDisk> openBacking, Passphrase? passphrase = null)
    {
        try
        {
            var header = Qcow1Header.Load(file);
            VirtualDisk? backing = header.BackingFile is string name ? openBacking(name) : null;
            bool isEncrypted = header.EncryptionMethod != EncryptionMethod.None;
            return new Qcow1Disk(file, header, backing, isEncrypted && passphrase is not null ? LegacyAesCipher.Create(passphrase) : null);
        }
        catch (Qcow2Exception e)
        {
            e.At(file.Path);
            throw;
        }
    }

    /// <inheritdoc/>
    protected internal override void EnsureReadable()
    {
        RequireKey();
        base.EnsureReadable();
    }

    /// <inheritdoc/>
    private protected override bool HasPlainData => _header.EncryptionMethod == EncryptionMethod.None;

    /// <inheritdoc/>
    private protected override void ReadData(long fileOffset, long offset, Span<byte> buffer)
    {
        if (_header.EncryptionMethod == EncryptionMethod.None)
        {
            base.ReadData(fileOffset, offset, buffer);
            return;
        }

        RequireKey();

        // Sectors are decrypted whole, and counted on the disk. Clusters and their places in the file are whole sectors, so that one lead serves both.
        int lead = (int)(offset & (SectorSize - 1));
        int whole = (lead + buffer.Length + SectorSize - 1) & -SectorSize;
        byte[] sectors = ArrayPool<byte>.Shared.Rent(whole);
        try
        {
            // Of the last sector of a disk that ends inside it the file may have no more than the disk.
            Storage.ReadExactly(fileOffset - lead, sectors.AsSpan(0, lead + buffer.Length));
            Storage.ReadZeroPadded(fileOffset + buffer.Length, sectors.AsSpan(lead + buffer.Length, whole - lead - buffer.Length));
            _cipher!.Decrypt((ulong)offset / SectorSize, sectors.AsSpan(0, whole));
            sectors.AsSpan(lead, buffer.Length).CopyTo(buffer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(sectors, clearArray: true);
        }
    }

    /// <inheritdoc/>
    private protected override BlockPlace Locate(long block)
    {
        int inTable = (int)(block & ((1 << _header.L2Bits) - 1));
        ulong table = _tables.ReadUInt64BigEndian(_header.L1Offset + ((block >> _header.L2Bits) * sizeof(ulong)));
        if (table == 0)
        {
            return new BlockPlace(ExtentKind.Unallocated, Blocks: (1 << _header.L2Bits) - inTable);
        }

        ulong tableLength = (ulong)sizeof(ulong) << _header.L2Bits;
        if (table % sizeof(ulong) != 0)
        {
            throw Qcow2Errors.Misaligned($"The offset of the L2 table for guest offset 0x{block << _header.ClusterBits:x}", table, sizeof(ulong));
        }

        if (table < Qcow1Header.Length || tableLength > (ulong)Storage.Length || table > (ulong)Storage.Length - tableLength)
        {
            throw Qcow2Errors.PastEnd($"The L2 table for guest offset 0x{block << _header.ClusterBits:x}", table, tableLength, Storage.Length);
        }

        ulong entry = _tables.ReadUInt64BigEndian((long)table + ((long)inTable * sizeof(ulong)));
        return entry switch
        {
            0 => new BlockPlace(ExtentKind.Unallocated),
            >= CompressedFlag => Compressed(block, entry),
            _ when entry % SectorSize != 0 => throw Qcow2Errors.Misaligned($"The offset of the cluster at guest offset 0x{block << _header.ClusterBits:x}", entry, SectorSize),
            _ => DataAt(block, (long)entry, Qcow1Header.Length),
        };
    }

    /// <inheritdoc/>
    private protected override byte[] Decompress(long block, long fileOffset, int length) => _decoded.GetOrAdd(fileOffset, () =>
    {
        byte[] cluster = new byte[_header.ClusterSize];
        byte[] compressed = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            int count = Storage.Read(fileOffset, compressed.AsSpan(0, length));
            return _decoder.TryDecode(compressed, count, cluster)
                ? cluster
                : throw Qcow2Errors.Corrupt(
                    $"The compressed cluster at guest offset 0x{block << _header.ClusterBits:x} (0x{fileOffset:x} in the file, {length} bytes) is damaged: it is no deflate stream of a whole cluster.");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(compressed);
        }
    });

    /// <summary>The length of a compressed cluster lies above its offset, and both fill the entry but for the flag.</summary>
    private BlockPlace Compressed(long block, ulong entry)
    {
        int offsetBits = 63 - _header.ClusterBits;
        long offset = (long)(entry & ((1UL << offsetBits) - 1));
        int length = (int)((entry & ~CompressedFlag) >> offsetBits);
        return length > 0 && offset >= Qcow1Header.Length && offset <= Storage.Length - length
            ? new BlockPlace(ExtentKind.Data, offset, length)
            : throw Qcow2Errors.Corrupt(
                $"The compressed cluster at guest offset 0x{block << _header.ClusterBits:x} is said to have {length} bytes at 0x{offset:x}; the file ends at 0x{Storage.Length:x}.");
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _cipher?.Dispose();
        }

        base.Dispose(disposing);
    }

    private void RequireKey()
    {
        if (_header.EncryptionMethod != EncryptionMethod.None && _cipher is null)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.PassphraseRequired, "The image is encrypted, and its passphrase was not given.").At(Path);
        }
    }
}
