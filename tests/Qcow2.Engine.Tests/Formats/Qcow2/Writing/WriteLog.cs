namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>
/// Every write and flush of a storage, and the images that a crash could have left. A disk writes sectors of 512 bytes
/// whole, each when it likes, but nothing from before a flush after it.
/// </summary>
internal sealed class WriteLog
{
    private const int SectorSize = 512;

    private readonly byte[] _start;
    private readonly List<(long Offset, byte[]? Data)> _events = [];
    private bool _isFailing;

    /// <summary>Records what is written from now on.</summary>
    internal WriteLog(MemoryStorage storage)
    {
        _start = [.. storage.Content];
        storage.Written = (offset, data) => _events.Add((offset, data));
        storage.BeforeFlush = () => _events.Add((0, null));
        storage.BeforeSetLength = length => RecordLength(storage, length);
    }

    /// <summary>Lets a write or flush fail now and then; one that fails does nothing and is not recorded.</summary>
    internal void FailAtRandom(MemoryStorage storage, Random random)
    {
        _isFailing = true;
        storage.BeforeWrite = (_, _) => FailSometimes(random, 20);
        storage.BeforeFlush = () =>
        {
            FailSometimes(random, 4);
            _events.Add((0, null));
        };
        storage.BeforeSetLength = length =>
        {
            FailSometimes(random, 20);
            RecordLength(storage, length);
        };
    }

    internal void FailNoMore() => _isFailing = false;

    /// <summary>Writes and flushes so far.</summary>
    internal int Count => _events.Count;

    /// <summary>The images after each event, one with all that was written and some with only a part of what was not flushed.</summary>
    internal IEnumerable<(int Event, byte[] File)> Crashes(Random random, int perEvent)
    {
        byte[] flushed = _start;
        int flushedAt = 0;
        for (int end = 0; end <= _events.Count; end++)
        {
            if (end > 0 && _events[end - 1].Data is null)
            {
                flushed = Apply(flushed, flushedAt, end, null, 0);
                flushedAt = end;
                continue; // The states just before it were the same.
            }

            yield return (end, Apply(flushed, flushedAt, end, null, 0));
            for (int i = 0; i < perEvent && end > flushedAt; i++)
            {
                yield return (end, Apply(flushed, flushedAt, end, random, random.Next(4)));
            }
        }
    }

    /// <summary>A file that grows is a write of nothing at its new end.</summary>
    private void RecordLength(MemoryStorage storage, long length)
    {
        if (length < storage.Length)
        {
            throw new NotSupportedException("The log knows no shrinking file.");
        }

        _events.Add((length, []));
    }

    private void FailSometimes(Random random, int oneIn)
    {
        if (_isFailing && random.Next(oneIn) == 0)
        {
            throw new IOException("Fault.");
        }
    }

    /// <summary>Applies events; with a source of chance, to each sector only as many as chance wants, in order.</summary>
    private byte[] Apply(byte[] flushed, int from, int to, Random? random, int mood)
    {
        long length = flushed.Length;
        var versions = new Dictionary<long, int>();
        for (int i = from; i < to; i++)
        {
            if (_events[i].Data is byte[] data)
            {
                length = Math.Max(length, _events[i].Offset + data.Length);
                for (long sector = _events[i].Offset / SectorSize; sector <= (_events[i].Offset + data.Length - 1) / SectorSize; sector++)
                {
                    versions[sector] = versions.GetValueOrDefault(sector) + 1;
                }
            }
        }

        if (random is not null)
        {
            foreach (long sector in versions.Keys.ToList())
            {
                versions[sector] = mood switch
                {
                    0 => random.Next(versions[sector] + 1),
                    1 => random.Next(10) == 0 ? 0 : versions[sector],
                    2 => random.Next(10) == 0 ? versions[sector] : 0,
                    _ => random.Next(2) * versions[sector],
                };
            }
        }

        byte[] file = new byte[length];
        flushed.CopyTo(file, 0);
        long reached = flushed.Length;
        for (int i = from; i < to; i++)
        {
            if (_events[i].Data is not byte[] data)
            {
                continue;
            }

            long position = _events[i].Offset;
            int done = 0;
            while (done < data.Length)
            {
                int count = (int)Math.Min(data.Length - done, SectorSize - (position % SectorSize));
                long sector = position / SectorSize;
                if (versions[sector] > 0)
                {
                    versions[sector]--;
                    data.AsSpan(done, count).CopyTo(file.AsSpan((int)position));
                    reached = Math.Max(reached, position + count);
                }

                position += count;
                done += count;
            }
        }

        // The length may be on the disk before what lies there, or not.
        return random is not null && random.Next(2) == 0 ? file[..(int)reached] : file;
    }
}
