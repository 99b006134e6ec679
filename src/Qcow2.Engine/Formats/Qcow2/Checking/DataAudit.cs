using System.Buffers;
using Qcow2.Engine.Codecs;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Work;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>Reads all data that the tables lead to, and decompresses what is compressed.</summary>
internal sealed class DataAudit(
    AuditContext context, L2Directory tables, int threads, IProgress<Qcow2CheckProgress>? progress, CancellationToken cancellationToken)
{
    private const int RunLength = 1 << 20;

    private readonly ClusterDecoder _decoder = ClusterCodecs.Decoder(context.Header.CompressionType);
    private long _tablesDone;

    internal void Run()
    {
        tables.Rewind();
        ParallelWorkers.Run(threads, Work, tables.Stop);
    }

    private void Work()
    {
        int size = context.Geometry.ClusterSize;
        var worker = new Worker(this, new HoleFinder(context.Image, context.IsSparse), new byte[Math.Max(RunLength, 4 * size)], new byte[size]);
        ulong[] words = ArrayPool<ulong>.Shared.Rent(size / sizeof(ulong));
        try
        {
            while (tables.TryTake(out int first, out int count))
            {
                for (int i = first; i < first + count; i++)
                {
                    L2Reference table = tables.Tables[i];
                    if (context.Geometry.IsClusterAligned(table.Offset) && !worker.Holes.IsHole(table.Offset, size))
                    {
                        Span<ulong> entries = words.AsSpan(0, size / sizeof(ulong));
                        BigEndianTable.Read(context.Image, table.Offset, entries);
                        worker.Read(table, entries);
                    }

                    progress?.Report(new Qcow2CheckProgress(Interlocked.Increment(ref _tablesDone) * size, (long)tables.Count * size));
                }
            }
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(words);
        }
    }

    private void Report(L2Reference table, int index, long offset, string message)
    {
        long guest = ((long)table.GuestIndex << context.Geometry.L1CoverageBits) + ((long)index << context.Geometry.ClusterBits);
        string disk = table.ActiveWeight > 0 ? "" : "of a snapshot ";
        context.Log.Add(CheckStage.Data.At(table.Order, index), Qcow2CheckSeverity.Corruption, 1, () => new Qcow2CheckFinding
        {
            Kind = Qcow2CheckFindingKind.DataUnreadable,
            Offset = offset,
            Cluster = offset >> context.Geometry.ClusterBits,
            Table = "Data",
            Message = $"The data {disk}at guest offset 0x{guest:x} (0x{offset:x} in the file) {message}",
        });
    }

    /// <summary>What one thread reads with.</summary>
    private sealed class Worker(DataAudit audit, HoleFinder holes, byte[] buffer, byte[] cluster)
    {
        private readonly AuditContext _context = audit.Context;

        internal HoleFinder Holes { get; } = holes;

        internal void Read(L2Reference table, ReadOnlySpan<ulong> words)
        {
            int step = _context.Geometry.IsExtendedL2 ? 2 : 1;
            int size = _context.Geometry.ClusterSize;
            for (int i = 0; i < words.Length;)
            {
                var entry = new L2Entry(words[i]);
                int run = 1;
                if (entry.IsCompressed && !_context.HasDataFile)
                {
                    Decompress(table, i / step, entry.CompressedCluster(_context.Geometry.ClusterBits));
                }
                else if (entry.Offset != 0 && !entry.IsCompressed && !_context.HasDataFile && entry.Offset < _context.FileLength)
                {
                    while (i + (run * step) < words.Length && (run + 1) * size <= RunLength
                        && new L2Entry(words[i + (run * step)]).Offset == entry.Offset + ((long)run * size) && !new L2Entry(words[i + (run * step)]).IsCompressed)
                    {
                        run++;
                    }

                    ReadRun(table, i / step, entry.Offset, run * size);
                }

                i += run * step;
            }
        }

        private void ReadRun(L2Reference table, int index, long offset, int length)
        {
            audit.CancellationToken.ThrowIfCancellationRequested();
            if (Holes.IsHole(offset, length))
            {
                return;
            }

            try
            {
                _context.Image.Read(offset, buffer.AsSpan(0, length));
            }
            catch (IOException e)
            {
                audit.Report(table, index, offset, $"cannot be read: {e.Message}");
            }
        }

        private void Decompress(L2Reference table, int index, CompressedClusterDescriptor data)
        {
            audit.CancellationToken.ThrowIfCancellationRequested();
            if (data.HostOffset >= _context.FileLength)
            {
                return; // Found before.
            }

            try
            {
                int count = _context.Image.Read(data.HostOffset, buffer.AsSpan(0, data.Length));
                if (!audit._decoder.TryDecode(buffer, count, cluster))
                {
                    audit.Report(table, index, data.HostOffset, $"is damaged: it is no {_context.Header.CompressionType} stream of a whole cluster.");
                }
            }
            catch (IOException e)
            {
                audit.Report(table, index, data.HostOffset, $"cannot be read: {e.Message}");
            }
        }
    }

    private AuditContext Context => context;

    private CancellationToken CancellationToken => cancellationToken;
}
