using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Tests.Storage;

public sealed class PageCacheFlushTests
{
    private readonly PageCacheFlush _flush = new("disk.qcow2");
    private int _flushes;

    [Fact]
    public void First_flush_reaches_the_host_whoever_wrote()
    {
        _flush.Run(Count);
        Assert.Equal(1, _flushes);
    }

    [Fact]
    public void Nothing_is_flushed_where_nothing_was_written_since()
    {
        _flush.Run(Count);
        _flush.Run(Count);
        Assert.Equal(1, _flushes);
        _flush.NoteWrite();
        _flush.Run(Count);
        _flush.Run(Count);
        Assert.Equal(2, _flushes);
    }

    [Fact]
    public void What_is_written_during_a_flush_is_for_the_next()
    {
        _flush.Run(() =>
        {
            Count();
            _flush.NoteWrite();
        });
        _flush.Run(Count);
        Assert.Equal(2, _flushes);
    }

    [Fact]
    public void Failure_is_final_also_where_nothing_was_written_since()
    {
        Assert.Throws<IOException>(() => _flush.Run(() => throw new IOException("Fault.")));
        Assert.Throws<IOException>(() => _flush.Run(Count));
        _flush.NoteWrite();
        Assert.Throws<IOException>(() => _flush.Run(Count));
        Assert.Equal(0, _flushes);
    }

    private void Count() => _flushes++;
}
