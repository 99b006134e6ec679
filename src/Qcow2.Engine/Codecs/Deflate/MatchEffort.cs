namespace Qcow2.Engine.Codecs;

/// <summary>How long matches are looked for.</summary>
/// <param name="Chain">Earlier places that are compared.</param>
/// <param name="GoodLength">A match of this many bytes is improved upon with a quarter of the effort.</param>
/// <param name="LazyLength">A shorter match waits for the one that begins at the next byte; 0 for none that does.</param>
/// <param name="NiceLength">A match of this many bytes is long enough.</param>
internal readonly record struct MatchEffort(int Chain, int GoodLength, int LazyLength, int NiceLength)
{
    private static readonly MatchEffort[] Levels =
    [
        new(4, 4, 0, 8),
        new(8, 4, 0, 16),
        new(24, 4, 0, 32),
        new(16, 4, 4, 16),
        new(32, 8, 16, 32),
        new(64, 8, 16, 128),
        new(256, 8, 32, 258),
        new(1024, 32, 128, 258),
        new(4096, 32, 258, 258),
    ];

    /// <summary>The effort of a level of 1 to 9.</summary>
    internal static MatchEffort Of(int level) => Levels[level - 1];
}
