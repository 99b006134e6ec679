namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>What a repair says of what it did, beyond the numbers: what was removed or changed, for people to know.</summary>
internal sealed class RepairReport
{
    private const int MostKept = 1_000;

    private readonly List<Qcow2CheckFinding> _notes = [];
    private int _settled;

    /// <summary>Says that something was changed.</summary>
    internal void Add(Qcow2CheckFindingKind kind, long offset, string table, string message)
    {
        if (_notes.Count < MostKept)
        {
            _notes.Add(new Qcow2CheckFinding { Kind = kind, Severity = Qcow2CheckSeverity.Information, Offset = offset, Table = table, Message = message });
        }
    }

    /// <summary>What was said since the last time is true.</summary>
    internal void Settle() => _settled = _notes.Count;

    /// <summary>What was said since <see cref="Settle"/> was not done after all.</summary>
    internal void Withdraw() => _notes.RemoveRange(_settled, _notes.Count - _settled);

    /// <summary>Puts the notes before the findings of a result.</summary>
    internal void AddTo(Qcow2CheckResult result)
    {
        result.Findings = [.. _notes, .. result.Findings];
        result.FindingCount += _notes.Count;
    }
}
