namespace Qcow2.PowerShell.Reports;

/// <summary>The backing chains of all images of a report, put together: each file once, with what is layered on it.</summary>
internal sealed class ChainForest
{
    private readonly Dictionary<string, ChainNode> _nodes = new(StringComparer.Ordinal);
    private readonly List<ChainNode> _order = [];

    /// <summary>Puts the chains together.</summary>
    internal ChainForest(IReadOnlyList<ReportImage> images)
    {
        for (int i = 0; i < images.Count; i++)
        {
            ChainNode node = NodeOf(images[i].File);
            node.Image ??= i;
            node.File = images[i].Error is null ? images[i].File : node.File;
        }

        foreach (ReportImage image in images)
        {
            ChainNode last = NodeOf(image.File);
            foreach (ReportFile file in image.Below)
            {
                ChainNode below = NodeOf(file);
                below.File = below.Image is null && file.Format.Length > 0 ? file : below.File;
                last.Lay(below);
                last = below;
            }

            if (image.Broken is BrokenLink broken)
            {
                // A file that is there, but cannot be used from here (a circle, for one), is no child of itself.
                ChainNode missing = NodeOf(broken.Target with { Key = "broken\0" + broken.Target.Key });
                missing.Broken ??= broken;
                last.Lay(missing);
            }
        }
    }

    /// <summary>The files at the bottom of a chain of several, in the order in which the images were given.</summary>
    internal IEnumerable<ChainNode> Roots => _order.Where(node => node.Below is null && node.Above.Count > 0);

    /// <summary>How many images are in no chain.</summary>
    internal int AloneCount => _order.Count(node => node.Image is not null && node.Below is null && node.Above.Count == 0);

    private ChainNode NodeOf(ReportFile file)
    {
        if (!_nodes.TryGetValue(file.Key, out ChainNode? node))
        {
            node = new ChainNode(file);
            _nodes.Add(file.Key, node);
            _order.Add(node);
        }

        return node;
    }
}

/// <summary>A file in a tree of backing chains.</summary>
/// <param name="file">The file.</param>
internal sealed class ChainNode(ReportFile file)
{
    private readonly List<ChainNode> _above = [];

    internal ReportFile File { get; set; } = file;

    /// <summary>Which image of the report it is; null if it was not asked for.</summary>
    internal int? Image { get; set; }

    /// <summary>Why it cannot be used; null for a file that can.</summary>
    internal BrokenLink? Broken { get; set; }

    /// <summary>The file below; null for the last of the chain.</summary>
    internal ChainNode? Below { get; private set; }

    /// <summary>The files that are layered on it.</summary>
    internal IReadOnlyList<ChainNode> Above => _above;

    /// <summary>Lays it on another, unless that would close a circle or it lies on one already.</summary>
    internal void Lay(ChainNode below)
    {
        for (ChainNode? node = below; node is not null; node = node.Below)
        {
            if (node == this)
            {
                return;
            }
        }

        if (Below is null)
        {
            Below = below;
            below._above.Add(this);
        }
    }
}
