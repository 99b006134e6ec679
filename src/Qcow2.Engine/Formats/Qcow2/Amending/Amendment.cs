using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Amending;

/// <summary>The steps of an amendment, in an order in which each finds what it needs: to version 3 first, to version 2 last.</summary>
internal sealed class Amendment
{
    private readonly BlockStorage _file;
    private readonly Qcow2Header _header;
    private readonly IReadOnlyList<SnapshotTableEntry> _snapshots;
    private readonly ImageAmendOptions _options;
    private readonly AmendProgress _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly RefcountOrder? _order;

    /// <summary>Prepares the steps.</summary>
    /// <param name="file">The image, which nobody else may write.</param>
    /// <param name="header">Its header, which is not marked dirty.</param>
    /// <param name="snapshots">Its snapshots.</param>
    /// <param name="options">What to change; <see cref="AmendRules"/> has nothing against it.</param>
    /// <param name="progress">Told of progress.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    internal Amendment(
        BlockStorage file,
        Qcow2Header header,
        IReadOnlyList<SnapshotTableEntry> snapshots,
        ImageAmendOptions options,
        IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        _file = file;
        _header = header;
        _snapshots = snapshots;
        _options = options;
        _cancellationToken = cancellationToken;
        _order = options.RefcountBits is int bits && bits != header.RefcountOrder.Bits ? AmendRules.OrderOf(bits) : null;
        _progress = new AmendProgress(progress, header.Size, (_order is null ? 0 : 2) + (IsDowngrade ? 2 : 0));
    }

    private bool IsDowngrade => _options.Version < _header.Version;

    private bool IsUpgrade => _options.Version > _header.Version;

    /// <summary>Looks for what forbids any of the steps, and takes them.</summary>
    internal void Run()
    {
        RequirePossible();
        if (IsUpgrade)
        {
            CompleteSnapshots();
        }

        if (!IsDowngrade)
        {
            HeaderAmendment.Prepare(_file, _options)?.Write(_file);
        }

        if (_order is RefcountOrder order)
        {
            _progress.Next();
            new RefcountWidth(_file, order, _progress, _cancellationToken).Run();
        }

        if (IsDowngrade)
        {
            using (Qcow2Image image = Open())
            {
                _progress.Next();
                image.Writer.ExpandZeros(_progress, _cancellationToken);
            }

            HeaderAmendment.Prepare(_file, _options)?.Write(_file);
        }
    }

    private void RequirePossible()
    {
        ImageEncryption.FindLuksHeader(_header);
        HeaderAmendment.Prepare(_file, _options);
        if (_order is RefcountOrder order)
        {
            RequireNothingPastTheEnd();
            _progress.Next();
            new RefcountWidth(_file, order, _progress, _cancellationToken).RequireFit();
        }

        if (IsDowngrade)
        {
            AmendRules.CheckSnapshots(_header, _snapshots, _file.Path);
            using Qcow2Image image = Open();
            _progress.Next();
            image.Writer.ScanZeros(_progress, _cancellationToken);
        }
    }

    /// <summary>Gives the snapshots' entries what version 3 requires of them, which version 2 permits.</summary>
    private void CompleteSnapshots()
    {
        if (_snapshots.All(snapshot => snapshot.ExtraData.Length >= SnapshotTableEntry.Version3ExtraDataLength))
        {
            return;
        }

        using Qcow2Image image = Open();
        image.Writer.DescribeSnapshots([.. image.Snapshots.Select(snapshot => snapshot.Completed(image.Length))]);
    }

    /// <summary>New refcounts go past the end of the file, where what is said to lie there would be taken for them or they for it.</summary>
    private void RequireNothingPastTheEnd()
    {
        var trees = new List<L1Table> { L1Table.Load(_file, _header.L1TableOffset, _header.L1Size, "The active L1 table") };
        foreach (SnapshotTableEntry snapshot in _snapshots)
        {
            snapshot.EnsureSound();
            trees.Add(L1Table.Load(_file, snapshot.L1TableOffset, snapshot.L1Size, snapshot.L1TableName));
        }

        long length = _file.Length;
        foreach (ulong value in trees.SelectMany(tree => tree.CopyEntries()))
        {
            long offset = new L1Entry(value).Offset;
            if (offset > length - _header.ClusterSize)
            {
                throw Qcow2Errors.PastEnd("An L2 table", (ulong)offset, (ulong)_header.ClusterSize, length);
            }
        }
    }

    private Qcow2Image Open() => Qcow2Image.OpenOver(
        new BorrowedStorage(_file, isWritable: true), null, new Qcow2OpenOptions { Writable = true, Passphrase = _options.Passphrase }, _cancellationToken);
}
