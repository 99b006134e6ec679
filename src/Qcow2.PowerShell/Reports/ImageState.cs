using Qcow2.Engine.Storage;

namespace Qcow2.PowerShell.Reports;

/// <summary>How much a state matters.</summary>
internal enum StateTone
{
    Fact,
    Warning,
    Bad,
}

/// <summary>What is special about an image, in a word and a sentence.</summary>
/// <param name="Label">The word.</param>
/// <param name="Tone">How much it matters.</param>
/// <param name="Detail">The sentence.</param>
internal sealed record ImageState(string Label, StateTone Tone, string Detail)
{
    /// <summary>Everything that is special about an image; what matters most comes first.</summary>
    internal static IReadOnlyList<ImageState> Of(ReportImage image)
    {
        var states = new List<ImageState>();
        void Add(bool holds, string label, StateTone tone, Func<string> detail)
        {
            if (holds)
            {
                states.Add(new ImageState(label, tone, detail()));
            }
        }

        Add(image.Error is not null, "cannot be read", StateTone.Bad, () => image.Error!);
        Add(image.IsCorrupt, "corrupt", StateTone.Bad, () => "It is marked corrupt: it is not written before Repair-Qcow2Image has found it sound.");
        Add(image.Check?.IsDamaged == true || image.Problems.Count > 0, "damaged", StateTone.Bad,
            () => string.Join(" ", new[] { image.Check is { IsDamaged: true } check ? check.Verdict : "" }.Concat(image.Problems).Where(text => text.Length > 0)));
        Add(image.Broken is { IsRefused: false }, "broken chain", StateTone.Bad, () => image.Broken!.Reason);
        Add(image.Check is { IsDamaged: false, IsUnsound: true }, "not sound", StateTone.Warning, () => image.Check!.Verdict);
        Add(image.IsDirty, "dirty", StateTone.Warning, () => "It was not closed well. Test-Qcow2Image says whether anything is wrong with it.");
        Add(image.Overgrown is not null, "overgrown", StateTone.Warning, () => image.Overgrown! + (image.Reclaimable > 0 ? " Optimize-Qcow2Image gives it back." : ""));
        Add(image.Broken is { IsRefused: true }, "chain not followed", StateTone.Fact, () => image.Broken!.Reason);
        Add(image.Lock == ImageLockState.HeldForWriting, "in use", StateTone.Fact, () => "Another program has it open for writing, so that what is shown may be inconsistent.");
        Add(image.Lock is not (ImageLockState.HeldForWriting or ImageLockState.Unlocked), "being read", StateTone.Fact, () => "Another program reads it.");
        Add(image.IsEncrypted, "encrypted", StateTone.Fact, () => "Its data is encrypted. The report needs no passphrase.");
        Add(image.Origin is not null, "not here", StateTone.Fact, () => image.Origin!);
        return states;
    }

    /// <summary>Whether a person should do something about an image.</summary>
    internal static bool NeedsAttention(IReadOnlyList<ImageState> states) => states.Any(state => state.Tone != StateTone.Fact);
}
