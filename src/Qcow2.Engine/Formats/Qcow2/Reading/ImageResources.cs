using System.Buffers;
using Qcow2.Engine.Codecs;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Reading;

/// <summary>What every disk of one image shares: its files, caches and codecs.</summary>
internal sealed class ImageResources : IDisposable
{
    private readonly ClusterDecoder _decoder;
    private readonly ReaderWriterLockSlim? _clusterUse;
    private int _isCutNoted;

    internal ImageResources(
        Qcow2Header header, BlockStorage image, BlockStorage data, VirtualDisk? backing, SectorCipher? cipher, long l2CacheSize, bool isWritable)
    {
        _clusterUse = isWritable ? new ReaderWriterLockSlim() : null;
        IsStill = !isWritable;
        Header = header;
        Image = image;
        Data = data;
        Backing = backing;
        Cipher = cipher;
        L2Cache = new L2Cache(image, header.Geometry, l2CacheSize);
        DecodedClusters = new DecodedClusterCache(header.ClusterSize);
        _decoder = ClusterCodecs.Decoder(header.CompressionType);
        Encoders = ClusterCodecs.Encoders(header.CompressionType);
    }

    internal Qcow2Header Header { get; }

    /// <summary>Whether the files are closed, and the cipher disposed of, with the image.</summary>
    internal bool OwnsFiles { get; init; } = true;

    /// <summary>Told of what is wrong without being an error; null for nobody.</summary>
    internal Action<string>? OnProblem { get; init; }

    internal bool IsWritable => _clusterUse is not null;

    /// <summary>Whether clusters stay where they are from one look to the next, so that they can be shared: by default of an image that is only read.</summary>
    internal bool IsStill { get; set; }

    /// <summary>The image file: all metadata, and the data where there is no external data file.</summary>
    internal BlockStorage Image { get; }

    /// <summary>Where standard clusters lie: the external data file, or the image file itself.</summary>
    internal BlockStorage Data { get; }

    internal VirtualDisk? Backing { get; }

    /// <summary>For compressed clusters at the default level.</summary>
    internal ClusterEncoderPool Encoders { get; }

    /// <summary>Null for an image that is not encrypted, and for one that was opened without a passphrase.</summary>
    internal SectorCipher? Cipher { get; }

    internal L2Cache L2Cache { get; }

    internal DecodedClusterCache DecodedClusters { get; }

    /// <summary>
    /// Keeps host clusters from being given to somebody else between looking up where they are and reading or writing
    /// them. Costs nothing while the image is open for reading only.
    /// </summary>
    internal ClusterUse UseClusters() => new(_clusterUse);

    /// <summary>Runs an action while nobody reads or writes clusters.</summary>
    internal void Exclusively(Action action)
    {
        _clusterUse!.EnterWriteLock();
        try
        {
            action();
        }
        finally
        {
            _clusterUse.ExitWriteLock();
        }
    }

    /// <summary>Encrypts whole sectors in place and writes them.</summary>
    internal void WriteSectors(long hostOffset, long guestOffset, Span<byte> sectors)
    {
        EnsureReadable();
        Cipher!.Encrypt((ulong)CountedFrom(hostOffset, guestOffset) / SectorCipher.SectorSize, sectors);
        Data.Write(hostOffset, sectors);
    }

    /// <summary>Fails if the image is encrypted and was opened without a passphrase.</summary>
    /// <exception cref="Qcow2Exception">It is, and it was.</exception>
    internal void EnsureReadable()
    {
        if (Header.EncryptionMethod != EncryptionMethod.None && Cipher is null)
        {
            ImageEncryption.EnsureCanBeUnlocked(Header, Image);
            throw new Qcow2Exception(Qcow2ErrorCode.PassphraseRequired, "The image is encrypted, and its passphrase was not given.").At(Image.Path);
        }
    }

    /// <summary>Reads, and where needed decrypts, standard clusters.</summary>
    /// <param name="hostOffset">Where the bytes lie in the data file.</param>
    /// <param name="guestOffset">Where they lie on the disk.</param>
    /// <param name="buffer">Where they go.</param>
    internal void ReadData(long hostOffset, long guestOffset, Span<byte> buffer)
    {
        if (Header.EncryptionMethod == EncryptionMethod.None)
        {
            ReadHost(hostOffset, buffer);
            return;
        }

        EnsureReadable();

        // Sectors are decrypted whole. Guest and host offsets agree below the cluster size, so one lead serves both.
        int lead = (int)(hostOffset & (SectorCipher.SectorSize - 1));
        int whole = (lead + buffer.Length + SectorCipher.SectorSize - 1) & ~(SectorCipher.SectorSize - 1);
        if (whole == buffer.Length)
        {
            ReadSectors(hostOffset, guestOffset, buffer);
            return;
        }

        byte[] sectors = ArrayPool<byte>.Shared.Rent(whole);
        try
        {
            ReadSectors(hostOffset - lead, guestOffset - lead, sectors.AsSpan(0, whole));
            sectors.AsSpan(lead, buffer.Length).CopyTo(buffer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(sectors, clearArray: true);
        }
    }

    /// <summary>Decompresses a whole cluster.</summary>
    internal void Decompress(ClusterRun run, long guestOffset, Span<byte> cluster)
    {
        byte[] compressed = ArrayPool<byte>.Shared.Rent(run.CompressedLength);
        try
        {
            // The last sector may pass the end of the file: the stream ends before that.
            int count = Image.Read(run.HostOffset, compressed.AsSpan(0, run.CompressedLength));
            if (!_decoder.TryDecode(compressed, count, cluster))
            {
                throw Qcow2Errors.Corrupt(
                    $"The compressed cluster at guest offset 0x{guestOffset:x} (0x{run.HostOffset:x} in the file, at most {run.CompressedLength} bytes) "
                    + $"is damaged: it is no {Header.CompressionType} stream of a whole cluster.");
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(compressed);
        }
    }

    /// <summary>Whether a file is the image or its external data file.</summary>
    internal bool AreIn(FileIdentity file) => Image.Identity.IsProvenSameAs(file) || Data.Identity.IsProvenSameAs(file);

    public void Dispose()
    {
        Encoders.Dispose();
        Backing?.Dispose();
        _clusterUse?.Dispose();
        if (!OwnsFiles)
        {
            return;
        }

        Cipher?.Dispose();

        if (!ReferenceEquals(Data, Image))
        {
            Data.Dispose();
        }

        Image.Dispose();
    }

    private void ReadSectors(long hostOffset, long guestOffset, Span<byte> sectors)
    {
        ReadHost(hostOffset, sectors);
        Cipher!.Decrypt((ulong)CountedFrom(hostOffset, guestOffset) / SectorCipher.SectorSize, sectors);
    }

    /// <summary>The legacy method counts sectors of the guest, LUKS those of the host (spec: "Data encryption").</summary>
    private long CountedFrom(long hostOffset, long guestOffset)
        => Header.EncryptionMethod == EncryptionMethod.Luks ? hostOffset : guestOffset;

    /// <summary>Reads standard clusters. The file may end inside the last one, whose rest is zeros, but not before it.</summary>
    private void ReadHost(long hostOffset, Span<byte> buffer)
    {
        int read = Data.Read(hostOffset, buffer);
        if (read == buffer.Length)
        {
            return;
        }

        long lastByte = hostOffset + buffer.Length - 1;
        long lastCluster = lastByte - Header.Geometry.OffsetInCluster(lastByte);
        long fileLength = Data.Length;
        if (lastCluster >= fileLength)
        {
            throw Qcow2Errors.Corrupt(
                $"The data cluster at 0x{lastCluster:x} lies past the end of the file at 0x{fileLength:x}: the file is cut off, and data is lost.")
                .At(Data.Path);
        }

        buffer.Slice(read).Clear();
        if (OnProblem is not null && !IsWritable && Interlocked.Exchange(ref _isCutNoted, 1) == 0)
        {
            OnProblem($"{Data.Path}: the file ends at 0x{fileLength:x}, inside a cluster with data, whose rest is read as zeros: a download or copy may have been cut short.");
        }
    }
}
