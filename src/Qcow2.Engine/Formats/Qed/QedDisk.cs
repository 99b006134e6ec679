using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qed;

/// <summary>The disk in a QED image, for reading.</summary>
internal sealed class QedDisk : SparseDisk
{
    /// <summary>What an L2 table says of a cluster that is zeros, whatever the backing file has.</summary>
    internal const ulong Zero = 1;

    private readonly QedHeader _header;
    private readonly TablePages _tables;

    private QedDisk(BlockStorage file, QedHeader header, VirtualDisk? backing)
        : base(file, header.Size, header.ClusterSize, backing)
    {
        _header = header;
        _tables = new TablePages(file);
    }

    /// <summary>Reads a disk from storage, which the disk then owns.</summary>
    /// <param name="file">The file; on failure it is left to the caller.</param>
    /// <param name="openBacking">Opens the backing file that the header names; the disk then owns it.</param>
    /// <param name="onProblem">Told of what is damaged without keeping the disk from being read.</param>
    /// <exception cref="Qcow2Exception">The file is damaged, or its backing file cannot be used.</exception>
    internal static QedDisk Open(BlockStorage file, Func<QedHeader, VirtualDisk> openBacking, Action<string>? onProblem = null)
    {
        try
        {
            var header = QedHeader.Load(file);
            var disk = new QedDisk(file, header, header.BackingFile is null ? null : openBacking(header));
            if (header.NeedsCheck)
            {
                onProblem?.Invoke($"{file.Path}: the image was not closed, so that its tables may lack what was written last, or lead elsewhere; qemu-img check -r all mends what can be mended.");
            }

            return disk;
        }
        catch (Qcow2Exception e)
        {
            e.At(file.Path);
            throw;
        }
    }

    /// <inheritdoc/>
    private protected override BlockPlace Locate(long block)
    {
        long inTable = block % _header.TableEntries;
        ulong offset = _tables.ReadUInt64(_header.L1Offset + (block / _header.TableEntries * sizeof(ulong)));
        if (offset == 0)
        {
            return new BlockPlace(ExtentKind.Unallocated, Blocks: _header.TableEntries - inTable);
        }

        long table = _header.TableAt(offset, $"The L2 table for guest offset 0x{block * BlockSize:x}", Storage.Length);
        ulong entry = _tables.ReadUInt64(table + (inTable * sizeof(ulong)));
        return entry switch
        {
            0 => new BlockPlace(ExtentKind.Unallocated),
            Zero => new BlockPlace(ExtentKind.Zero),
            _ when entry % (ulong)BlockSize != 0 => throw Qcow2Errors.Misaligned($"The offset of the cluster at guest offset 0x{block * BlockSize:x}", entry, BlockSize),
            _ => DataAt(block, unchecked((long)entry), _header.HeaderLength),
        };
    }
}
