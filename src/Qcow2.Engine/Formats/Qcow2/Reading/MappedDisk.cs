using System.Buffers;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Reading;

/// <summary>
/// A disk that one L1 table describes: an image's active disk or one of its snapshots. It borrows the image's files and
/// leaves them open.
/// </summary>
internal sealed class MappedDisk : VirtualDisk
{
    private readonly ImageResources _resources;
    private long _length;
    private volatile bool _isRetired;

    internal MappedDisk(ImageResources resources, L1Table l1, long length)
    {
        _resources = resources;
        Map = new ClusterMap(resources.Header, l1, resources.L2Cache);
        _length = length;
    }

    /// <summary>Gives the disk another size. The L1 table covers it by now.</summary>
    internal void SetLength(long length) => Volatile.Write(ref _length, length);

    /// <summary>Refuses all reads from now on: the snapshot was deleted, and its clusters may hold anything.</summary>
    internal void Retire() => _isRetired = true;

    /// <inheritdoc/>
    internal override DiskOrigin? Origin => new DiskOrigin(
        _resources.Image.Identity, _resources.Data.Identity, Map.TableOffset, Encryption, isFixed: !_resources.IsWritable);

    private DiskEncryption Encryption => _resources.Header.EncryptionMethod switch
    {
        EncryptionMethod.None => DiskEncryption.None,
        EncryptionMethod.Luks => DiskEncryption.KeyInFile,
        _ => DiskEncryption.KeyOfOpener,
    };

    /// <summary>Where the disk's clusters are.</summary>
    internal ClusterMap Map { get; }

    /// <inheritdoc/>
    public override string Path => _resources.Image.Path;

    /// <inheritdoc/>
    public override long Length => Volatile.Read(ref _length);

    /// <inheritdoc/>
    public override VirtualDisk? Backing => _resources.Backing;

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => _resources.AreIn(file) || base.ReadsFrom(file);

    /// <inheritdoc/>
    internal override BlockStorage? PreallocatedStorage(CancellationToken cancellationToken)
        => _resources.Header.EncryptionMethod == EncryptionMethod.None && PreallocatedClusters.Exist(_resources.Image, _resources.Header, cancellationToken)
            ? _resources.Data
            : null; // What is decrypted from nothing is noise.

    /// <inheritdoc/>
    protected internal override void EnsureReadable()
    {
        _resources.EnsureReadable();
        base.EnsureReadable();
    }

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                using ClusterUse use = _resources.UseClusters();
                RequireAlive();
                ClusterRun run = Map.Find(offset, buffer.Length);
                ReadRun(run, offset, buffer.Slice(0, (int)run.Length));
                offset += run.Length;
                buffer = buffer.Slice((int)run.Length);
            }
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <inheritdoc/>
    protected internal override long DamageEnd(long offset)
    {
        try
        {
            ClusterState state = FindForExtents(offset, 1).State;
            if (state == ClusterState.Unallocated && Backing is VirtualDisk backing && offset < backing.Length)
            {
                return backing.DamageEnd(offset);
            }

            return state == ClusterState.Compressed ? Map.ClusterEnd(offset) : base.DamageEnd(offset);
        }
        catch (Exception e) when (e is IOException or Qcow2Exception)
        {
            return Math.Min(Length, Map.DamageEnd(offset));
        }
    }

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
    {
        long end = offset + length;
        while (offset < end)
        {
            ClusterRun run = FindForExtents(offset, end - offset);
            if (run.State == ClusterState.Unallocated && Backing is not null)
            {
                foreach (DiskExtent extent in BackingExtents(offset, run.Length, depth))
                {
                    yield return extent;
                }
            }
            else
            {
                yield return ToExtent(run, offset, depth);
            }

            offset += run.Length;
        }
    }

    /// <inheritdoc/>
    internal override HostRun? FindHostRun(long offset, long length)
    {
        ClusterRun run = FindForExtents(offset, length);
        return run.State switch
        {
            ClusterState.Unallocated => BackingHostRun(offset, run.Length),
            ClusterState.Data when _resources.Header.EncryptionMethod == EncryptionMethod.None && _resources.IsStill
                => new HostRun(_resources.Data, run.HostOffset, run.Length),
            _ => null,
        };
    }

    /// <inheritdoc/>
    internal override void WillRead(long offset, long length)
    {
        for (long end = offset + length; offset < end;)
        {
            ClusterRun run = FindForExtents(offset, end - offset);
            switch (run.State)
            {
                case ClusterState.Data:
                    _resources.Data.WillRead(run.HostOffset, run.Length);
                    break;
                case ClusterState.Compressed:
                    _resources.Image.WillRead(run.HostOffset, run.CompressedLength);
                    break;
                case ClusterState.Unallocated when Backing is VirtualDisk backing && offset < backing.Length:
                    backing.WillRead(offset, Math.Min(run.Length, backing.Length - offset));
                    break;
            }

            offset += run.Length;
        }
    }

    private void RequireAlive()
    {
        if (_isRetired)
        {
            throw new InvalidOperationException($"{Path}: the snapshot that this disk showed was deleted.");
        }
    }

    private ClusterRun FindForExtents(long offset, long length)
    {
        try
        {
            using ClusterUse use = _resources.UseClusters();
            RequireAlive();
            return Map.Find(offset, length);
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    private DiskExtent ToExtent(ClusterRun run, long offset, int depth)
    {
        ExtentKind kind = run.State switch
        {
            ClusterState.Unallocated => ExtentKind.Unallocated,
            ClusterState.Data or ClusterState.Compressed => ExtentKind.Data,
            _ => ExtentKind.Zero,
        };

        bool inDataFile = run.HasHostOffset;
        return new DiskExtent(
            offset,
            run.Length,
            kind,
            depth,
            inDataFile ? _resources.Data.Path : Path,
            run.HasHostOffset ? run.HostOffset : null,
            run.State == ClusterState.Compressed);
    }

    private void ReadRun(ClusterRun run, long offset, Span<byte> buffer)
    {
        switch (run.State)
        {
            case ClusterState.Data:
                _resources.ReadData(run.HostOffset, offset, buffer);
                break;
            case ClusterState.Compressed:
                ReadCompressed(run, offset, buffer);
                break;
            case ClusterState.Unallocated:
                ReadBacking(offset, buffer);
                break;
            default:
                buffer.Clear();
                break;
        }
    }

    private void ReadCompressed(ClusterRun run, long offset, Span<byte> buffer)
    {
        ClusterGeometry geometry = _resources.Header.Geometry;
        int inCluster = geometry.OffsetInCluster(offset);
        if (buffer.Length == geometry.ClusterSize)
        {
            _resources.Decompress(run, offset, buffer);
            return;
        }

        // Small reads come in sequence: the rest of the cluster will be wanted next.
        byte[] cluster = _resources.DecodedClusters.GetOrAdd(run.HostOffset, () =>
        {
            byte[] decoded = new byte[geometry.ClusterSize];
            _resources.Decompress(run, offset - inCluster, decoded);
            return decoded;
        });
        cluster.AsSpan(inCluster, buffer.Length).CopyTo(buffer);
    }
}
