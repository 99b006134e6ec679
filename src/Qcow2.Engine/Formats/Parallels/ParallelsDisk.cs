using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Parallels;

/// <summary>An expanding disk of Parallels, for reading.</summary>
internal sealed class ParallelsDisk : SparseDisk
{
    private readonly ParallelsHeader _header;
    private readonly TablePages _table;

    private ParallelsDisk(BlockStorage file, ParallelsHeader header)
        : base(file, header.Size, header.BlockSize, null)
    {
        _header = header;
        _table = new TablePages(file);
    }

    /// <summary>Reads a disk from storage, which the disk then owns.</summary>
    /// <param name="file">The file; on failure it is left to the caller.</param>
    /// <param name="onProblem">Told of what is damaged without keeping the disk from being read.</param>
    /// <exception cref="Qcow2Exception">The file is damaged.</exception>
    internal static ParallelsDisk Open(BlockStorage file, Action<string>? onProblem = null)
    {
        try
        {
            var header = ParallelsHeader.Load(file);
            if (header.IsInUse)
            {
                onProblem?.Invoke($"{file.Path}: the disk is in use, or was not closed, so that its block table may lack what was written last.");
            }

            return new ParallelsDisk(file, header);
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
        uint entry = _table.ReadUInt32(ParallelsHeader.Length + (block * sizeof(uint)));
        return entry == 0 ? new BlockPlace(ExtentKind.Unallocated) : DataAt(block, entry * _header.EntrySize, _header.TableEnd);
    }
}
